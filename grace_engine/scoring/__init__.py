"""How are traces scored by a model, and what does it cost?"""
