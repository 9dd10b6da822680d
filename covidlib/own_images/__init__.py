"""A person's own images: audit, choose a start, train, evaluate, explain, a model card."""
