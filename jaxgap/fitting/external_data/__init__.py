"""When external data help most: schedules, the best of them, and what a fitted run would gain."""
