"""Own the loop: what was predicted when advice was taken, what came of it, and what is vouched for until when."""
