"""How do numbers look? Frames and arrays in, figures out; nothing here reads the workspace."""
