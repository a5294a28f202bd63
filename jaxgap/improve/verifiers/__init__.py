"""Whoever scores candidates, one file each; none but the exact grader sees an answer."""
