"""C, C++ and Zig."""
