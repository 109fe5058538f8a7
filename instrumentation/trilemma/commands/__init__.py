"""Hold one module per `trilemma` subcommand; each has configure(parser) and run(args)."""
