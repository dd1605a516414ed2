"""What a network has to beat, trained and scored by one command on any packed corpus: SIFT with SVR, and CNN-M."""
