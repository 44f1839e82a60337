"""How is a causal language model found, loaded, shown a trace, and described at its head?"""
