"""What does a policy answer to problems, and which way would each of them move it?"""
