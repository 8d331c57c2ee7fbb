"""What the real tests share: places, processes, keys, the program under test and the leak scan."""
