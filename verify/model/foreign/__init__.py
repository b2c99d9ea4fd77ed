"""Models of other libraries as arrays with roles, and from there to the weights of this one.

Nothing here imports another library: modules are told by their methods and the names of their
classes, arrays are whatever NumPy reads.
"""
