"""Parts of the plan: the grid's expressions and solves, memory, time, budget, order. No torch."""
