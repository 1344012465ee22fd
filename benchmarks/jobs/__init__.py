"""What the workers of the other contenders run: each as an application that uses that library would have it.

Only the chord imports something of the product, its settings: Oban needs a newer Python, which has an environment of
"""
