print("haneul")
