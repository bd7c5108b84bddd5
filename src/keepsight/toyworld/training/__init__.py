"""The recipe that trains the bundled tiny model on the toy world, in stages that can be resumed."""
