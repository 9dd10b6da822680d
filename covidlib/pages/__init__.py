"""What single pages compute and draw, one module per notebook of the same name."""
