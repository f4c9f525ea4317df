"""State of the column that has no effect on the simulated images: lenses, filter, vacuum, dewars, apertures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ColumnState:
    """Plain state behind report and set commands.

    Attributes
    ----------
    spot, probe_mode, alpha : int
    intensity : float
        Raw, 0 to 1.
    beam_shift, objective_stigmator, condenser_stigmator, diffraction_stigmator : tuple of float
    screen_down, beam_blanked, valves_open : bool
    slit_in : bool
    slit_width_ev, energy_loss_ev : float
    aperture_um : dict of int to int
        Size by aperture number, 0 retracted.
    dewar_period_s, dewar_filling_s : float
        Automatic filling starts each period and lasts so long; period 0 is never.
    dewar_phase_s : float
        Clock time of the first filling.
    dewar_extra_until_s : float
        Clock time until which they are filled out of turn.
    flash_advised : dict of int to bool
        FEG flashing by kind, 0 low and 1 high temperature.
    last_operation_s : dict of str to float
        Clock time at which each long operation was last done.
    zlp_refined_s : float or None
    slots : dict of int to str
        Cartridge names by slot of the loader.
    loaded_slot : int
        0 nothing loaded.
    """

    spot: int = 8
    probe_mode: int = 0
    alpha: int = 1
    intensity: float = 0.48
    beam_shift: tuple[float, float] = (0.0, 0.0)
    objective_stigmator: tuple[float, float] = (0.012, -0.034)
    condenser_stigmator: tuple[float, float] = (0.0, 0.0)
    diffraction_stigmator: tuple[float, float] = (0.0, 0.0)
    diffraction_shift: tuple[float, float] = (0.0, 0.0)
    image_beam_tilt: tuple[float, float] = (0.0, 0.0)
    screen_down: bool = False
    beam_blanked: bool = False
    valves_open: bool = True
    emission_on: bool = True
    beam_current: float = 6.1
    duty_percent: float = 100.0
    slit_in: bool = True
    slit_width_ev: float = 20.0
    energy_loss_ev: float = 0.0
    b_axis_deg: float = 0.0
    defocus_zero_um: float = 0.0
    lens_zero_um: float = 0.0
    aperture_um: dict[int, int] = field(default_factory=lambda: {0: 2000, 1: 50, 2: 100, 3: 0, 4: 0})
    aperture_removed_um: dict[int, int] = field(default_factory=dict)
    dewar_period_s: float = 6 * 3600.0
    dewar_filling_s: float = 480.0
    dewar_phase_s: float = 3 * 3600.0
    dewar_extra_until_s: float = -1.0
    flash_advised: dict[int, bool] = field(default_factory=lambda: {0: False, 1: False})
    flash_high_next: bool = False
    last_operation_s: dict[str, float] = field(default_factory=dict)
    zlp_refined_s: float | None = None
    slots: dict[int, str] = field(default_factory=lambda: {n: f"Grid{n}" for n in range(1, 5)})
    loaded_slot: int = 1

    def dewars_filling(self, clock_s: float) -> bool:
        """Tell whether the dewars are being filled at this clock time."""
        if clock_s < self.dewar_extra_until_s:
            return True
        if self.dewar_period_s <= 0.0 or clock_s < self.dewar_phase_s:
            return False
        return (clock_s - self.dewar_phase_s) % self.dewar_period_s < self.dewar_filling_s

    def dewars_remaining_s(self, clock_s: float) -> float:
        """Seconds to the next automatic filling, -1 if none is scheduled."""
        if self.dewar_period_s <= 0.0:
            return -1.0
        if clock_s < self.dewar_phase_s:
            return self.dewar_phase_s - clock_s
        return self.dewar_period_s - (clock_s - self.dewar_phase_s) % self.dewar_period_s
