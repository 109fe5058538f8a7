"""Own the proof of the statistics, by simulation and by published figures."""
