"""The papers' result tables, typed from the papers. A line has the experiment that stands for it, the row, the numbers.

Before the lines are the columns, in the paper's order. `-` stands for a row that belongs to other groups; a table whose
rows give different scores has several blocks.
"""

PAIR = "ccc.valence ccc.arousal"
PAIR_AND_MEAN = "ccc.valence ccc.arousal ccc.mean"
CCC_AND_MSE = "ccc.valence ccc.arousal mse.valence mse.arousal"
CCC_AND_MSE_WITH_MEANS = "ccc.valence ccc.arousal ccc.mean mse.valence mse.arousal mse.mean"
EXPRESSIONS = " ".join(
    f"accuracy.{name}" for name in ("neutral", "anger", "disgust", "fear", "happy", "sad", "surprise", "total")
)

IJCV2019 = {
    "5": {
        CCC_AND_MSE_WITH_MEANS: """
            -      | MM-Net      | 0.196 0.214 0.205 | 0.134 0.088 0.111
            -      | FATAUVA-Net | 0.396 0.282 0.339 | 0.123 0.095 0.109
            -      | DRC-Net     | 0.042 0.291 0.167 | 0.161 0.094 0.128
            cnn_m  | Baseline    | 0.150 0.100 0.125 | 0.130 0.140 0.135
        """
    },
    "7": {
        CCC_AND_MSE: """
            vggface_one_annotator              | One annotator, with landmarks          | 0.39 0.27 | 0.15 0.13
            vggface_one_annotator_no_landmarks | One annotator, without landmarks       | 0.35 0.25 | 0.16 0.14
            vggface                            | Mean of annotators, with landmarks     | 0.51 0.33 | 0.10 0.08
            vggface_no_landmarks               | Mean of annotators, without landmarks  | 0.44 0.32 | 0.12 0.11
        """
    },
    "8": {
        PAIR: """
            affwildnet_vggface_1x100 | 1 layer, 100  | 0.44 0.36
            affwildnet_vggface_1x128 | 1 layer, 128  | 0.53 0.40
            affwildnet_vggface_1x150 | 1 layer, 150  | 0.46 0.39
            affwildnet_vggface_2x100 | 2 layers, 100 | 0.50 0.41
            affwildnet_vggface       | 2 layers, 128 | 0.57 0.43
            affwildnet_vggface_2x150 | 2 layers, 150 | 0.51 0.41
        """
    },
    "9": {
        CCC_AND_MSE_WITH_MEANS: """
            vgg16              | VGG-16        | 0.40 0.30 0.35 | 0.13 0.11 0.12
            resnet50           | ResNet-50     | 0.43 0.30 0.37 | 0.11 0.11 0.11
            vggface            | VGG-Face      | 0.51 0.33 0.42 | 0.10 0.08 0.09
            vggface_lstm       | VGG-Face-LSTM | 0.52 0.38 0.45 | 0.10 0.09 0.10
            affwildnet_vggface | AffWildNet    | 0.57 0.43 0.50 | 0.08 0.06 0.07
        """
    },
    "10": {
        PAIR: """
            recola_affwildnet   | Fine-tuned AffWildNet | 0.526 0.273
            recola_resnet50_gru | ResNet-GRU            | 0.462 0.209
        """
    },
    "11": {
        "pearson.valence pearson.arousal": """
            -                  | best of [31]          | 0.407 0.45
            afew_va_affwildnet | Fine-tuned AffWildNet | 0.514 0.575
        """
    },
    "12": {
        EXPRESSIONS: """
            emotiw_vgg16        | VGG-16                | 0.327 0.424 0.102 0.093 0.476 0.138 0.133 0.263
            emotiw_vgg16_gru    | VGG-16 + RNN          | 0.431 0.559 0.026 0.07  0.444 0.259 0.044 0.293
            emotiw_resnet50     | ResNet                | 0.31  0.153 0.077 0.023 0.534 0.207 0.067 0.211
            emotiw_resnet50_gru | ResNet + RNN          | 0.431 0.237 0.077 0.07  0.587 0.155 0.089 0.261
            emotiw_vggface_gru  | VGG-Face + RNN        | 0.552 0.593 0.026 0.047 0.794 0.259 0.111 0.384
            emotiw_affwildnet   | Fine-tuned AffWildNet | 0.569 0.627 0.051 0.023 0.746 0.709 0.111 0.454
        """
    },
    "13": {
        PAIR: """
            afew_va_cnn        | only CNN              | 0.44  0.474
            afew_va_affwildnet | Fine-tuned AffWildNet | 0.515 0.556
        """
    },
    "14": {
        "accuracy.total": """
            -  | [26] DenseNet-121                                     | 0.414
            -  | [26] HoloNet                                          | 0.41
            -  | [26] ResNet-50                                        | 0.418
            -  | [28] VGG-Face                                         | 0.379
            -  | [28] VGG-Face, after fine-tuning on FER2013           | 0.483
            -  | [28] FR-Net-A                                         | 0.337
            -  | [28] FR-Net-A, after fine-tuning on FER2013           | 0.446
            -  | [28] FR-Net-B                                         | 0.334
            -  | [28] FR-Net-B, after fine-tuning on FER2013           | 0.488
            -  | [28] FR-Net-C                                         | 0.376
            -  | [28] FR-Net-C, after fine-tuning on FER2013           | 0.452
            -  | [28] LSTM + FR-Net-B, after fine-tuning on FER2013    | 0.465
            -  | [28] LSTM + FR-Net-B, data augmentation               | 0.504
            -  | [60] Weighted C3D (no overlap), data augmentation     | 0.421
            -  | [60] LSTM C3D (no overlap), data augmentation         | 0.432
            -  | [60] VGG-Face, data augmentation                      | 0.414
            -  | [60] VGG-LSTM 1 layer, data augmentation              | 0.486
            emotiw_affwildnet | Fine-tuned AffWildNet                  | 0.454
        """
    },
}

CVPRW2017 = {
    "4": {
        CCC_AND_MSE: """
            vggface  | VGG Face  | 0.46 0.35 | 0.10 0.09
            vgg16    | VGG-16    | 0.40 0.30 | 0.13 0.11
            resnet50 | ResNet-50 | 0.33 0.24 | 0.16 0.13
        """
    },
    "5": {
        CCC_AND_MSE: """
            vggface              | With landmarks    | 0.46 0.35 | 0.10 0.09
            vggface_no_landmarks | Without landmarks | 0.38 0.31 | 0.14 0.11
        """
    },
    "6": {
        CCC_AND_MSE: """
            vggface_one_annotator | 1 annotator        | 0.35 0.25 | 0.18 0.14
            vggface               | Mean of annotators | 0.46 0.35 | 0.10 0.09
        """
    },
    "7": {
        CCC_AND_MSE: """
            vggface     | CNN     | 0.46 0.35 | 0.10 0.09
            vggface_gru | CNN-RNN | 0.57 0.43 | 0.08 0.06
        """
    },
    "8": {
        PAIR: """
            vggface_gru_1x100 | 1 hidden layer, 100  | 0.40 0.33
            vggface_gru_2x100 | 2 hidden layers, 100 | 0.47 0.40
            vggface_gru_1x128 | 1 hidden layer, 128  | 0.49 0.40
            vggface_gru       | 2 hidden layers, 128 | 0.57 0.43
            vggface_gru_1x150 | 1 hidden layer, 150  | 0.44 0.37
            vggface_gru_2x150 | 2 hidden layers, 150 | 0.50 0.41
        """
    },
    "9": {
        CCC_AND_MSE: """
            vggface_gru  | CNN-GRU  | 0.57 0.43 | 0.08 0.06
            vggface_lstm | CNN-LSTM | 0.49 0.38 | 0.10 0.09
        """
    },
}

OMG2019 = {
    "1": {
        "rmse.valence pearson.valence ccc.valence": """
            - | [22] CNN-RNN | 0.107 0.554 0.507
        """,
        "rmse.valence rmse.arousal pearson.valence pearson.arousal ccc.valence ccc.arousal": """
            - | [6] features of sound, face and text + LSTM | 0.081 0.086 | 0.758 0.702 | 0.756 0.672
        """,
        "mse.valence mse.arousal ccc.valence ccc.arousal": """
            - | [5] FATAUVA-Net | 0.123 0.095 | 0.396 0.282
        """,
        PAIR: """
            ijcv2019/affwildnet_resnet50 | [26] [29] AffWildNet, Aff-Wild | 0.570 0.430
            ijcv2019/recola_affwildnet   | [26] [29] AffWildNet, RECOLA   | 0.526 0.273
            ijcv2019/afew_va_affwildnet  | [26] [29] AffWildNet, AFEW-VA  | 0.515 0.556
        """,
    },
    "3": {
        PAIR_AND_MEAN: """
            vggface          | VGG-Face, with post-processing                          | 0.378 0.203 0.291
            vggface          | VGG-Face, without post-processing                       | 0.361 0.193 0.277
            densenet121      | DenseNet-121, with post-processing                      | 0.365 0.191 0.278
            densenet121      | DenseNet-121, without post-processing                   | 0.350 0.184 0.267
            resnet50         | ResNet-50, with post-processing                         | 0.359 0.195 0.277
            resnet50         | ResNet-50, without post-processing                      | 0.344 0.189 0.267
            affwildnet       | AffWildNet, with post-processing                        | 0.409 0.224 0.317
            affwildnet       | AffWildNet, without post-processing                     | 0.390 0.219 0.305
            densenet_rnn     | DenseNet-RNN, with post-processing                      | 0.394 0.211 0.303
            densenet_rnn     | DenseNet-RNN, without post-processing                   | 0.378 0.209 0.294
            cnn_1rnn         | CNN-1RNN-2nd-pool_last-pool_fc, with post-processing    | 0.449 0.303 0.376
            cnn_1rnn         | CNN-1RNN-2nd-pool_last-pool_fc, without post-processing | 0.441 0.297 0.369
            cnn_3rnn         | CNN-3RNN-2nd-pool_last-pool_fc, with post-processing    | 0.472 0.329 0.401
            cnn_3rnn         | CNN-3RNN-2nd-pool_last-pool_fc, without post-processing | 0.463 0.322 0.393
            decision_fusion  | Decision-Level Fusion, with post-processing             | 0.501 0.332 0.417
            decision_fusion  | Decision-Level Fusion, without post-processing          | 0.482 0.321 0.402
            model_fusion_fc  | Model-level Fusion + FC, with post-processing           | 0.518 0.348 0.433
            model_fusion_fc  | Model-level Fusion + FC, without post-processing        | 0.500 0.328 0.414
            model_fusion_rnn | Model-level Fusion + RNN, with post-processing          | 0.535 0.365 0.450
            model_fusion_rnn | Model-level Fusion + RNN, without post-processing       | 0.512 0.340 0.426
        """
    },
    "4": {
        PAIR: """
            cnn_1rnn_scratch          | CNN-1RNN-2nd-pool_last-pool_fc, from scratch             | 0.371 0.210
            cnn_1rnn_aff_wild         | CNN-1RNN-2nd-pool_last-pool_fc, pre-trained on Aff-Wild  | 0.419 0.278
            cnn_1rnn                  | CNN-1RNN-2nd-pool_last-pool_fc, pre-trained on Aff-Wild2 | 0.449 0.303
            cnn_3rnn_scratch          | CNN-3RNN-2nd-pool_last-pool_fc, from scratch             | 0.385 0.192
            cnn_3rnn_aff_wild         | CNN-3RNN-2nd-pool_last-pool_fc, pre-trained on Aff-Wild  | 0.448 0.302
            cnn_3rnn                  | CNN-3RNN-2nd-pool_last-pool_fc, pre-trained on Aff-Wild2 | 0.472 0.329
            model_fusion_rnn_scratch  | Model-level Fusion + RNN, from scratch                   | 0.431 0.265
            model_fusion_rnn_aff_wild | Model-level Fusion + RNN, pre-trained on Aff-Wild        | 0.511 0.342
            model_fusion_rnn          | Model-level Fusion + RNN, pre-trained on Aff-Wild2       | 0.535 0.365
        """
    },
    "5": {
        PAIR_AND_MEAN: """
            cnn_3rnn_conv8_pool5_fc    | 8th conv + last pool + fc      | 0.416 0.261 0.339
            cnn_3rnn_conv5_pool5_fc    | 5th conv + last pool + fc      | 0.455 0.322 0.389
            cnn_3rnn                   | 2nd pool + last pool + fc      | 0.472 0.329 0.401
            cnn_3rnn_conv3_conv7_fc    | 3rd conv + 7th conv + fc       | 0.402 0.267 0.335
            cnn_3rnn_conv13_pool5_fc   | last conv + last pool + fc     | 0.440 0.248 0.344
            cnn_3rnn_conv6_conv7_conv8 | 6th conv + 7th conv + 8th conv | 0.328 0.162 0.245
            cnn_3rnn_conv7_conv8_conv9 | 7th conv + 8th conv + 9th conv | 0.334 0.172 0.253
            cnn_3rnn_conv3_conv4_conv5 | 3rd conv + 4th conv + 5th conv | 0.345 0.185 0.265
        """
    },
    "6": {
        PAIR_AND_MEAN: """
            cnn_1rnn_no_landmarks         | CNN-1RNN-2nd-pool_last-pool_fc, without landmarks | 0.429 0.291 0.360
            cnn_1rnn                      | CNN-1RNN-2nd-pool_last-pool_fc, with landmarks    | 0.449 0.303 0.376
            cnn_3rnn_no_landmarks         | CNN-3RNN-2nd-pool_last-pool_fc, without landmarks | 0.454 0.310 0.382
            cnn_3rnn                      | CNN-3RNN-2nd-pool_last-pool_fc, with landmarks    | 0.472 0.329 0.401
            model_fusion_rnn_no_landmarks | Model-level Fusion + RNN, without landmarks       | 0.524 0.352 0.438
            model_fusion_rnn              | Model-level Fusion + RNN, with landmarks          | 0.535 0.365 0.450
        """
    },
    "7": {
        "mse.valence mse.arousal": """
            cnn_3rnn | CNN-3RNN-2nd-pool_last-pool_fc, V in [0, 1], A in [0, 0.5)  | 0.101 0.031
            cnn_3rnn | CNN-3RNN-2nd-pool_last-pool_fc, V in [0, 1], A in [0.5, 1]  | 0.055 0.021
            cnn_3rnn | CNN-3RNN-2nd-pool_last-pool_fc, V in [-1, 0), A in [0, 0.5) | 0.154 0.061
            cnn_3rnn | CNN-3RNN-2nd-pool_last-pool_fc, V in [-1, 0), A in [0.5, 1] | 0.110 0.040
            cnn_3rnn | CNN-3RNN-2nd-pool_last-pool_fc, V in [-1, 1], A in [0, 1]   | 0.110 0.041
        """
    },
    "8": {
        PAIR: """
            -                | VNet [51]                                                       | 0.438 0.244
            -                | ANet + VNet [51]                                                | 0.442 0.236
            -                | A: openSMILE + LSTMs, V: VGG-FACE-BLSTM [60]                    | 0.258 0.277
            -                | A: openSMILE + LSTMs, V: VGG-FACE-BLSTM + openSMILE + LSTMs [60] | 0.369 0.286
            -                | openSMILE + LSTMs [60]                                          | 0.361 0.293
            -                | Single Multi-Modal [64]                                         | 0.484 0.345
            -                | Ensemble I [64]                                                 | 0.496 0.356
            -                | Ensemble II [64]                                                | 0.499 0.361
            cnn_3rnn         | CNN-3RNN-2nd-pool_last-pool_fc                                  | 0.472 0.329
            model_fusion_rnn | Model-level Fusion + RNN                                        | 0.535 0.365
        """
    },
}

THESIS2018 = {
    "6.2": {
        CCC_AND_MSE: """
            vggface_lstm_c0      | LSTM, first checkpoint           | 0.290 0.294 0.031 0.023
            vggface_lstm_c0      | LSTM, second checkpoint          | 0.303 0.249 0.037 0.029
            vggface_gru_c0       | GRU, first checkpoint            | 0.156 0.362 0.054 0.022
            vggface_gru_c0       | GRU, second checkpoint           | 0.353 0.358 0.034 0.023
            vggface_attention_c0 | GRU-Attention, first checkpoint  | 0.347 0.409 0.033 0.020
            vggface_attention_c0 | GRU-Attention, second checkpoint | 0.412 0.342 0.032 0.026
            vggface_indrnn_c0    | IndRNN, first checkpoint         | 0.332 0.237 0.031 0.027
            vggface_indrnn_c0    | IndRNN, second checkpoint        | 0.392 0.254 0.028 0.023
        """
    },
    "6.4": {
        CCC_AND_MSE: """
            vggface_attention_c0     | VGGFace(c0), first checkpoint         | 0.347 0.409 0.033 0.020
            vggface_attention_c0     | VGGFace(c0), second checkpoint        | 0.412 0.342 0.032 0.026
            vggface_attention_c1     | VGGFace(c1)                           | 0.353 0.313 0.024 0.023
            vggface_attention_c2     | VGGFace(c2)                           | 0.479 0.327 0.020 0.020
            vggface_attention_c3     | VGGFace(c3)                           | 0.555 0.456 0.018 0.017
            resnet50_attention_c0    | ResNet50-IN(c0)                       | 0.280 0.107 0.044 0.034
            resnet50_attention_c1    | ResNet50-IN(c1), first checkpoint     | 0.162 0.071 0.068 0.046
            resnet50_attention_c1    | ResNet50-IN(c1), second checkpoint    | 0.163 0.037 0.048 0.038
            resnet50_attention_c2    | ResNet50-IN(c2)                       | 0.303 0.393 0.033 0.019
            resnet50_attention_c3    | ResNet50-IN(c3)                       | 0.332 0.429 0.027 0.019
            densenet121_attention_c0 | DenseNet121-IN(c0)                    | 0.154 0.185 0.061 0.034
            densenet121_attention_c2 | DenseNet121-IN(c2)                    | 0.468 0.294 0.024 0.022
            densenet121_attention_c3 | DenseNet121-IN(c3), first checkpoint  | 0.449 0.306 0.022 0.021
            densenet121_attention_c3 | DenseNet121-IN(c3), second checkpoint | 0.368 0.312 0.025 0.021
        """
    },
    "6.5": {
        CCC_AND_MSE: """
            vggface_attention_70_c2  | 70 (c2)                    | 0.367 0.346 0.023 0.020
            vggface_attention_70_c3  | 70 (c3), first checkpoint  | 0.403 0.499 0.021 0.016
            vggface_attention_70_c3  | 70 (c3), second checkpoint | 0.491 0.424 0.020 0.018
            vggface_attention_c2     | 80 (c2)                    | 0.479 0.327 0.020 0.020
            vggface_attention_c3     | 80 (c3)                    | 0.555 0.456 0.018 0.017
            vggface_attention_100_c2 | 100 (c2)                   | 0.403 0.459 0.025 0.016
            vggface_attention_100_c3 | 100 (c3), first checkpoint | 0.351 0.404 0.025 0.017
            vggface_attention_100_c3 | 100 (c3), second checkpoint| 0.498 0.388 0.020 0.018
        """
    },
}

PAPERS = {"ijcv2019": IJCV2019, "cvprw2017": CVPRW2017, "omg2019": OMG2019, "thesis2018": THESIS2018}
