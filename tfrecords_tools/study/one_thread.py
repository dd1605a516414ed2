"""Linear algebra of many small matrices, on which the threads of BLAS only wait for each other."""

from threadpoolctl import threadpool_limits

# Decorates a function that computes with one thread of BLAS, until it returns.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
