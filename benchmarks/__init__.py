"""Speed of dclib beside what a user would pick instead (`python -m benchmarks --help`)."""
