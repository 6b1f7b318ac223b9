"""What `./run` starts on one machine: embedded servers, our processes, the checks."""
