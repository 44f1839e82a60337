"""How do the engine's speed and memory compare with what people do without it?"""
