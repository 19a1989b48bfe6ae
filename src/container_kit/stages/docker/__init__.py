"""The adapter to the Docker Engine API, and what every user of it needs: image references, credentials and labels."""
