"""What a model descends from and passes on: family tree, inherited characteristics, licences."""
