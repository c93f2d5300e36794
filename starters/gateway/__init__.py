"""The gateway: the one HTTP door for people and machines. A folder for each kind of caller."""
