"""The local deployment backend: applications as containers of the engine on this machine."""
