"""Hold the loop: predictions, measurements, certificates and the policy that follows."""
