"""What single pages compute and draw: a module per notebook, of the same name, and its parts."""
