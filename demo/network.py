"""A small StyleGAN2 generator and a discriminator, plain PyTorch in one file that imports nothing else.

Network files carry the source of their classes, and this text is what the bundled network carries, so
it must stand alone. Tensor names, constructor keywords and arithmetic are those of stylegan2-ada-pytorch
("skip" generators), so its weights load there and here. Sources: Karras et al., "Analyzing and Improving
the Image Quality of StyleGAN" (2020), sections 2-3 and appendix B.

Where speed allows a choice, styles scale the activations instead of the weights: the same numbers,
one shared convolution for the batch, and a backward pass that a CPU can bear.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

SQRT2 = math.sqrt(2.0)
SQRT_HALF = math.sqrt(0.5)


def low_pass(taps):
    """Outer product of the taps, with sum 1: [n, n]."""
    taps = torch.tensor(taps, dtype=torch.float32)
    kernel = torch.outer(taps, taps)
    return kernel / kernel.sum()


def smooth(x, kernel, gain):
    """Filter every channel of [N, C, H, W] without padding."""
    channels = x.shape[1]
    weight = (kernel * gain).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(x, weight, groups=channels)


def double(x, kernel):
    """Twice the size by zero-stuffing and filtering, mean kept."""
    channels = x.shape[1]
    weight = (kernel * 4).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)


def leaky(x, gain=SQRT2, clamp=None):
    """Leaky ReLU of slope 0.2 with the gain that keeps the variance."""
    x = F.leaky_relu(x, 0.2) * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def normalize(x):
    """Divide by the root of the mean square over the features: [N, features]."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class FullyConnectedLayer(nn.Module):
    """Linear layer whose stored weight has unit variance; a gain brings it to size at run time."""

    def __init__(self, in_features, out_features, activation="linear", lr_multiplier=1, bias_init=0):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x):
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return leaky(x) if self.activation == "lrelu" else x


class MappingNetwork(nn.Module):
    """Latents to intermediate latents: z [N, z_dim] to ws [N, num_ws, w_dim]."""

    def __init__(self, z_dim, c_dim, w_dim, num_ws, num_layers=8, lr_multiplier=0.01, w_avg_beta=0.995):
        super().__init__()
        if c_dim:
            raise ValueError("this generator takes no labels")
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.num_layers = num_layers
        self.w_avg_beta = w_avg_beta
        for index in range(num_layers):
            width = z_dim if index == 0 else w_dim
            setattr(self, f"fc{index}", FullyConnectedLayer(width, w_dim, "lrelu", lr_multiplier))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z, c=None, truncation_psi=1, truncation_cutoff=None, **_ignored):
        w = normalize(z.to(torch.float32))
        for index in range(self.num_layers):
            w = getattr(self, f"fc{index}")(w)
        if self.training:
            self.w_avg.lerp_(w.detach().mean(dim=0), 1 - self.w_avg_beta)
        ws = w.unsqueeze(1).repeat(1, self.num_ws, 1)
        if truncation_psi != 1:
            rows = slice(0, truncation_cutoff)
            ws[:, rows] = self.w_avg.lerp(ws[:, rows], truncation_psi)
        return ws


class SynthesisLayer(nn.Module):
    """Styled 3x3 convolution, optionally to twice the size; noise; leaky ReLU."""

    def __init__(self, in_channels, out_channels, w_dim, resolution, up=1, conv_clamp=None):
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.use_noise = True
        self.activation = "lrelu"
        self.conv_clamp = conv_clamp
        self.padding = 1
        self.act_gain = SQRT2
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("resample_filter", low_pass([1, 3, 3, 1]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x, w, noise_mode="random"):
        style = self.affine(w)  # [N, in]
        power = self.weight.square().sum(dim=(2, 3))  # [out, in]
        scale = (style.square() @ power.t() + 1e-8).rsqrt()  # [N, out], demodulation: equation 3
        x = x * style[:, :, None, None]
        if self.up == 2:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = smooth(F.pad(x, [1, 1, 1, 1]), self.resample_filter, 4)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        x = x * scale[:, :, None, None]
        if noise_mode == "random":
            x = x + torch.randn(len(x), 1, *x.shape[2:], device=x.device) * self.noise_strength
        elif noise_mode == "const":
            x = x + self.noise_const * self.noise_strength
        return leaky(x + self.bias[None, :, None, None], self.act_gain, self.conv_clamp)


class ToRGBLayer(nn.Module):
    """Styled 1x1 convolution to colours, without demodulation."""

    def __init__(self, in_channels, out_channels, w_dim, conv_clamp=None):
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x, w):
        style = self.affine(w) * self.weight_gain
        x = F.conv2d(x * style[:, :, None, None], self.weight) + self.bias[None, :, None, None]
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution: one or two convolutions, and colours added to those of the blocks before."""

    def __init__(self, in_channels, out_channels, w_dim, resolution, img_channels, is_last, conv_clamp=None):
        super().__init__()
        self.in_channels = in_channels
        self.w_dim = w_dim
        self.resolution = resolution
        self.img_channels = img_channels
        self.is_last = is_last
        self.architecture = "skip"
        self.use_fp16 = False
        self.channels_last = False
        self.num_conv = 1 if in_channels == 0 else 2
        self.num_torgb = 1
        self.register_buffer("resample_filter", low_pass([1, 3, 3, 1]))
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, 2, conv_clamp)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, 1, conv_clamp)
        self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp)

    def forward(self, x, img, ws, noise_mode="random"):
        row = 0
        if self.in_channels == 0:
            x = self.const.unsqueeze(0).expand(len(ws), -1, -1, -1)
        else:
            x = self.conv0(x, ws[:, row], noise_mode)
            row += 1
        x = self.conv1(x, ws[:, row], noise_mode)
        colours = self.torgb(x, ws[:, row + 1])
        return x, colours if img is None else double(img, self.resample_filter) + colours


class SynthesisNetwork(nn.Module):
    """Intermediate latents to pictures: ws [N, num_ws, w_dim] to [N, C, H, W], about -1 to 1."""

    def __init__(
        self, w_dim, img_resolution, img_channels, channel_base=32768, channel_max=512, num_fp16_res=0, conv_clamp=None
    ):
        super().__init__()
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_resolution_log2 = int(math.log2(img_resolution))
        self.img_channels = img_channels
        self.block_resolutions = [2**i for i in range(2, self.img_resolution_log2 + 1)]
        self.num_ws = 2 * len(self.block_resolutions)
        before = 0
        for resolution in self.block_resolutions:
            width = min(channel_base // resolution, channel_max)
            last = resolution == img_resolution
            block = SynthesisBlock(before, width, w_dim, resolution, img_channels, last, conv_clamp)
            setattr(self, f"b{resolution}", block)
            before = width

    def forward(self, ws, noise_mode="random", force_fp32=True, **_ignored):
        ws = ws.to(torch.float32)
        x = img = None
        row = 0
        for resolution in self.block_resolutions:
            block = getattr(self, f"b{resolution}")
            x, img = block(x, img, ws[:, row : row + block.num_conv + 1], noise_mode)
            row += block.num_conv
        return img


class Generator(nn.Module):
    """z [N, z_dim] to pictures [N, C, H, W]."""

    def __init__(self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs=None, synthesis_kwargs=None):
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(self, z, c=None, truncation_psi=1, truncation_cutoff=None, **synthesis_kwargs):
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, **synthesis_kwargs)


class Conv2dLayer(nn.Module):
    """Convolution with run-time gain, optionally to half the size, with leaky ReLU."""

    def __init__(self, in_channels, out_channels, kernel_size, down=1, bias=True, gain=1.0):
        super().__init__()
        self.kernel_size = kernel_size
        self.down = down
        self.gain = gain
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)

    def forward(self, x):
        if self.down == 2 and self.kernel_size == 1:
            x = F.avg_pool2d(x, 2)
        x = F.conv2d(x, self.weight * self.weight_gain, padding=self.kernel_size // 2)
        if self.down == 2 and self.kernel_size > 1:
            x = F.avg_pool2d(x, 2)
        if self.bias is None:
            return x * self.gain
        return leaky(x + self.bias[None, :, None, None], SQRT2 * self.gain)


class DiscriminatorBlock(nn.Module):
    """Residual block to half the size."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv0 = Conv2dLayer(in_channels, in_channels, 3)
        self.conv1 = Conv2dLayer(in_channels, out_channels, 3, down=2, gain=SQRT_HALF)
        self.skip = Conv2dLayer(in_channels, out_channels, 1, down=2, bias=False, gain=SQRT_HALF)

    def forward(self, x):
        return self.skip(x) + self.conv1(self.conv0(x))


class Discriminator(nn.Module):
    """Pictures [N, C, H, W] to one number each, higher for real ones."""

    def __init__(self, c_dim, img_resolution, img_channels, channel_base=32768, channel_max=512, group_size=4):
        super().__init__()
        self.c_dim = c_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.group_size = group_size

        def channels(resolution):
            return min(channel_base // resolution, channel_max)

        self.block_resolutions = [2**i for i in range(int(math.log2(img_resolution)), 2, -1)]
        self.fromrgb = Conv2dLayer(img_channels, channels(img_resolution), 1)
        for resolution in self.block_resolutions:
            setattr(self, f"b{resolution}", DiscriminatorBlock(channels(resolution), channels(resolution // 2)))
        self.conv = Conv2dLayer(channels(4) + 1, channels(4), 3)
        self.fc = FullyConnectedLayer(channels(4) * 16, channels(4), "lrelu")
        self.out = FullyConnectedLayer(channels(4), 1)

    def forward(self, img, c=None, **_ignored):
        x = self.fromrgb(img.to(torch.float32))
        for resolution in self.block_resolutions:
            x = getattr(self, f"b{resolution}")(x)
        x = self.conv(self.with_spread(x))
        return self.out(self.fc(x.flatten(1)))

    def with_spread(self, x):
        """Append a channel: how much the pictures of a group differ (minibatch standard deviation)."""
        size = self.group_size if len(x) % self.group_size == 0 else len(x)
        groups = x.reshape(size, -1, *x.shape[1:])
        spread = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3), keepdim=True)
        return torch.cat([x, spread.repeat(size, 1, *x.shape[2:])], dim=1)
