"""MSM's first experiments: are constraints fair, do signals tell, is the top stable?"""
