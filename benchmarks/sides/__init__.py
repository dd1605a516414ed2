"""What the benchmarks compare: the same work by several libraries, each in a process of its own."""
