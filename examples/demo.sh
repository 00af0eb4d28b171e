#!/bin/sh
# What `make demo` shows: speech detection on a real archive, ResNet-18 and a gated RNN, each against LibTorch.
# usage: examples/demo.sh BUILD
set -eu
build=$1
archives="$build/archives"
torchweld="$build/torchweld"
wave="$build/examples/speech.wav"

echo "== Speech detection: silero_vad.jit, chunk by chunk in a session =="
if command -v espeak-ng >/dev/null; then
  espeak-ng -w "$wave" -g 5 "Torchweld runs this archive. <break time='1500ms'/> It finds the words, \
<break time='1200ms'/> and the silence between them." -m
else
  echo "espeak-ng is not installed: a synthesised voice speaks"
  wave=synthesised
fi
"$build/examples/speech" "$(cat "$build/examples/silero_path")" "$wave"

show() {
  echo
  echo "== $1 =="
  "$torchweld" check "$archives/$2.pt" --inputs "$archives/$2.inputs.pt"
  "$torchweld" bench "$archives/$2.pt" --inputs "$archives/$2.inputs.pt" --threads 1 --seconds 1
}
show "ResNet-18, traced, one image" vision/resnet18
show "The tutorials' RNN: a scripted gate in a traced cell in a scripted loop" control_flow/gated_rnn_traced_outside
