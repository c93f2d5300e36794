"""Is a stated confidence as often right as it says? On releases of world S, never seen before."""
