"""What the pages of a report and of a timeline are both made of: document, colours, EEG and spectrograms."""
