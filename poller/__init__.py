"""The data plane: reads event sources, forms batches, invokes functions and settles what came of it."""
