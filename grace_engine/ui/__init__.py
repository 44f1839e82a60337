"""What do the studio's pages draw with?"""
