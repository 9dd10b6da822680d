"""What a step is for each method, and the one loop that runs them all."""
