"""Generation: the application, base images and recipe that an ecosystem's recipe works with."""
