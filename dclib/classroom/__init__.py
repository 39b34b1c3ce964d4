"""What shows the methods: figures, live demonstrations, and what the checks of all assignments share."""
