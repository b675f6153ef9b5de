"""``python -m ray_pipeline``: what ``ray job submit`` runs."""

from ray_pipeline.cli import program

if __name__ == "__main__":
    program()
