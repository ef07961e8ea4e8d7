"""The pages: one module for each task. `install` of each module adds its routes."""
