"""The networks, and the parts of networks, that no YAML chooses: backbones and extractors are made of them.

pretrained     files of pretrained weights
timm_network   a network of timm by its name
pool           means over the cells of a feature map; images pooled by attention
log_stft       the spectrograms of pairs, by a transform that may be trained
norms          batch and instance norms
checkpointing  gradient checkpointing beside batch norms
wavenet_layer  the gated layer of a WaveNet, in plain PyTorch, for a CPU's cache and for a GPU's chip
x3d            a three-dimensional network over the spectrograms of all pairs
"""
