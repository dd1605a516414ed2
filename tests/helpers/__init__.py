"""What tests share: corpora, networks, trainings and independent implementations to compare with."""
