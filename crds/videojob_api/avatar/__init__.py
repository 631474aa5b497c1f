"""What avatars are made of: what each of their stages is given. Data and pure rules, like the rest of the contract; it knows
no provider's address, no model's file and no pixel.
"""
