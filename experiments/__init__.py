"""The experiments of the course at full size: one result a file, written once (`python -m experiments --help`)."""
