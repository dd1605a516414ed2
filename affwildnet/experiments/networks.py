"""The networks of the papers by name.

Each is described once, here; experiments use them with single fields replaced. Comments say what a paper leaves open.
"""

from dataclasses import replace

from affwildnet.experiments.config import ModelConfig

# ijcv2019: CNNs of tables 15 and 16 and figure 16, AffWildNet of table 6.
_VGG = ModelConfig(backbone="vgg16", hidden=(4096, 4096))
_AFFWILDNET = ModelConfig(backbone="vgg16", landmarks=True, hidden=(4096,), recurrent="gru")

# cvprw2017: dropout after every hidden layer (tables 1 and 2) and after both recurrent ones (table 3); one network for
# valence and one for arousal (section 4.1).
_CVPRW_VGG = ModelConfig(
    backbone="vgg16", landmarks=True, landmarks_join=2, hidden=(4096, 4096, 2622), dropout_layers="all", separate=True
)
_CVPRW_RESNET = ModelConfig(
    backbone="resnet50", landmarks=True, hidden=(1500, 256), dropout_layers="all", separate=True
)
_CVPRW_CNN_RNN = replace(_AFFWILDNET, output_dropout=0.5, separate=True)

# omg2019 6.1: dropout "with 0.8 probability" after the first GRU. Read as the share to keep, as in TensorFlow 1:
# dropping 0.8 would leave 26 of 128 units.
_OMG = ModelConfig(
    backbone="vgg16",
    landmarks=True,
    hidden=(4096,),
    recurrent="gru",
    recurrent_dropout=0.8,
    recurrent_dropout_is="keep",
)
_CNN_1RNN = replace(_OMG, rnn_inputs=("pool2+pool5+fc",))
_CNN_3RNN = replace(_OMG, rnn_inputs=("pool2", "pool5", "fc"))
# The layers after the fusion; those before it are described by the members.
_FUSED = ModelConfig(members=(_CNN_1RNN, _CNN_3RNN), hidden=())

# Thesis chapter 4: the recurrent layers read the backbone's features directly. The ResNet-50 with ImageNet weights is
# TF-Slim's, with its momentum (section 5.2.1); that with VGGFace2 weights was converted from Caffe, and has its stride
# on the first 1x1 convolution, as `resnet50` has.
_THESIS = ModelConfig(backbone="vgg16", hidden=(), recurrent="gru", recurrent_dropout=0.0)
_THESIS_ATTENTION = replace(_THESIS, attention=30)

NETWORKS: dict[str, ModelConfig] = {
    "cnn_m": ModelConfig(backbone="cnn_m", hidden=(4096,), dropout=0.0),
    "vgg_face": replace(_VGG, landmarks=True),
    "vgg_face_no_landmarks": _VGG,
    "vgg_face_2000": replace(_VGG, hidden=(4096, 2000)),
    "resnet50": ModelConfig(backbone="resnet50", landmarks=True, hidden=(1500, 256)),
    "affwildnet_vggface": _AFFWILDNET,
    "affwildnet_vggface_no_landmarks": replace(_AFFWILDNET, landmarks=False),
    "affwildnet_resnet50": replace(_AFFWILDNET, backbone="resnet50", hidden=(1500,)),
    "affwildnet_resnet50_released": ModelConfig(backbone="resnet50_slim", hidden=(), recurrent="gru"),
    "vgg_face_lstm": replace(_AFFWILDNET, recurrent="lstm"),
    "affwildnet_expression": replace(_AFFWILDNET, head="expression"),
    "afew_va_cnn": replace(_VGG, hidden=(4096, 2048)),
    "cvprw_vgg": _CVPRW_VGG,
    "cvprw_vgg_no_landmarks": replace(_CVPRW_VGG, landmarks=False, landmarks_join=1, hidden=(4096, 4096)),
    "cvprw_resnet50": _CVPRW_RESNET,
    "cvprw_resnet50_no_landmarks": replace(_CVPRW_RESNET, landmarks=False, hidden=(1500,)),
    "cvprw_gru": _CVPRW_CNN_RNN,
    "cvprw_lstm": replace(_CVPRW_CNN_RNN, recurrent="lstm"),
    "cvprw_resnet50_gru": replace(_CVPRW_CNN_RNN, backbone="resnet50"),
    "omg_vgg_face": ModelConfig(backbone="vgg16", landmarks=True, hidden=(4096,)),
    "omg_resnet50": ModelConfig(backbone="resnet50", landmarks=True, hidden=(1500,)),
    "omg_densenet121": ModelConfig(backbone="densenet121", landmarks=True, hidden=(1500,)),
    "omg_affwildnet": replace(_OMG, backbone="resnet50", hidden=(1500,)),
    "densenet_rnn": replace(_OMG, backbone="densenet121", hidden=(1500,)),
    "cnn_1rnn": _CNN_1RNN,
    "cnn_3rnn": _CNN_3RNN,
    # The paper does not say which two taps, nor the width of the joining layer: the two highest of the best three, and
    # the width of its fusing layer (section 5.4.1).
    "cnn_2rnn": replace(_OMG, rnn_inputs=("pool5", "fc")),
    "cnn_2rnn_1fc": replace(_OMG, rnn_inputs=("pool5", "fc"), joined_hidden=(128,)),
    "cnn2_to_1rnn": replace(_OMG, rnn_inputs=("pool5+fc",)),
    "cnn_3rnn_1fc": replace(_CNN_3RNN, joined_hidden=(128,)),
    "cnn_3rnn_encoded_landmarks": replace(_CNN_3RNN, landmark_encoder=1024),
    "model_fusion_rnn": replace(_FUSED, recurrent="gru", recurrent_units=(128,)),
    "model_fusion_fc": replace(_FUSED, joined_hidden=(128,)),
    "decision_fusion": replace(_FUSED, fusion="decision"),
    "thesis_vgg_face_gru": _THESIS,
    "thesis_vgg_face_lstm": replace(_THESIS, recurrent="lstm"),
    "thesis_vgg_face_indrnn": replace(_THESIS, recurrent="indrnn"),
    "thesis_vgg_face_attention": _THESIS_ATTENTION,
    "thesis_resnet50_attention": replace(_THESIS_ATTENTION, backbone="resnet50_slim", normalisation_momentum=0.997),
    "thesis_resnet50_vggface2_attention": replace(_THESIS_ATTENTION, backbone="resnet50"),
    "thesis_densenet121_attention": replace(_THESIS_ATTENTION, backbone="densenet121"),
    "thesis_densenet169_attention": replace(_THESIS_ATTENTION, backbone="densenet169"),
}
