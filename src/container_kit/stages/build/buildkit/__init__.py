"""The BuildKit session protocol: messages, file transfer and progress."""
