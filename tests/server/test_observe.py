from asr_trio.server.observe import Metrics


def test_what_a_model_costs_is_measured_over_all_its_speech():
    metrics = Metrics()
    metrics.decoded("builtin:slm/general", cpu_s=0.2, speech_s=1.0)
    metrics.decoded("builtin:slm/general", cpu_s=0.2, speech_s=3.0)
    metrics.decoded("session", cpu_s=0.0, speech_s=0.0)
    read = metrics.registry.get_sample_value
    assert read("asr_cost_units_measured", {"lm": "builtin:slm/general"}) == 10.0
    assert read("asr_cost_units_measured", {"lm": "session"}) is None
    assert read("asr_decode_cpu_seconds_total") == 0.4
