"""The maps x → z: a short input on which f and g nearly repeat their outputs on a long one."""
