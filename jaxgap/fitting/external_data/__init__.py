"""When external data help most: schedules, the best one, and what a fitted run would gain."""
