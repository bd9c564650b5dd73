//! The attack cases, each through every door, transport and era that can carry it. What a case is about stands in the
//! `case.md` beside it.
#![expect(clippy::disallowed_methods, reason = "cases start openssl and a shell; the product does not")]

#[cfg(test)]
mod ground;
#[cfg(test)]
mod issued;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod secure;

#[cfg(test)]
#[path = "../../../../attacks/PA-01/case.rs"]
mod pa_01;
#[cfg(test)]
#[path = "../../../../attacks/PA-02/case.rs"]
mod pa_02;
#[cfg(test)]
#[path = "../../../../attacks/PA-03/case.rs"]
mod pa_03;
#[cfg(test)]
#[path = "../../../../attacks/PA-04/case.rs"]
mod pa_04;
#[cfg(test)]
#[path = "../../../../attacks/PA-05/case.rs"]
mod pa_05;
#[cfg(test)]
#[path = "../../../../attacks/PA-06/case.rs"]
mod pa_06;
#[cfg(test)]
#[path = "../../../../attacks/PA-07/case.rs"]
mod pa_07;
#[cfg(test)]
#[path = "../../../../attacks/PA-08/case.rs"]
mod pa_08;
#[cfg(test)]
#[path = "../../../../attacks/PA-09/case.rs"]
mod pa_09;
#[cfg(test)]
#[path = "../../../../attacks/PA-10/case.rs"]
mod pa_10;
#[cfg(test)]
#[path = "../../../../attacks/PA-11/case.rs"]
mod pa_11;
#[cfg(test)]
#[path = "../../../../attacks/PA-12/case.rs"]
mod pa_12;
#[cfg(test)]
#[path = "../../../../attacks/PA-13/case.rs"]
mod pa_13;
#[cfg(test)]
#[path = "../../../../attacks/PA-14/case.rs"]
mod pa_14;
#[cfg(test)]
#[path = "../../../../attacks/PA-15/case.rs"]
mod pa_15;
#[cfg(test)]
#[path = "../../../../attacks/PA-16/case.rs"]
mod pa_16;
#[cfg(test)]
#[path = "../../../../attacks/PA-17/case.rs"]
mod pa_17;
#[cfg(test)]
#[path = "../../../../attacks/PA-18/case.rs"]
mod pa_18;
#[cfg(test)]
#[path = "../../../../attacks/PA-19/case.rs"]
mod pa_19;
#[cfg(test)]
#[path = "../../../../attacks/PA-20/case.rs"]
mod pa_20;
#[cfg(test)]
#[path = "../../../../attacks/PA-21/case.rs"]
mod pa_21;
#[cfg(test)]
#[path = "../../../../attacks/PA-22/case.rs"]
mod pa_22;
#[cfg(test)]
#[path = "../../../../attacks/PA-23/case.rs"]
mod pa_23;
#[cfg(test)]
#[path = "../../../../attacks/PA-24/case.rs"]
mod pa_24;
#[cfg(test)]
#[path = "../../../../attacks/EV-01/case.rs"]
mod ev_01;
#[cfg(test)]
#[path = "../../../../attacks/EV-02/case.rs"]
mod ev_02;
#[cfg(test)]
#[path = "../../../../attacks/EV-03/case.rs"]
mod ev_03;
#[cfg(test)]
#[path = "../../../../attacks/EV-04/case.rs"]
mod ev_04;
#[cfg(test)]
#[path = "../../../../attacks/EV-05/case.rs"]
mod ev_05;
#[cfg(test)]
#[path = "../../../../attacks/EV-06/case.rs"]
mod ev_06;
#[cfg(test)]
#[path = "../../../../attacks/EV-07/case.rs"]
mod ev_07;
#[cfg(test)]
#[path = "../../../../attacks/EV-08/case.rs"]
mod ev_08;
#[cfg(test)]
#[path = "../../../../attacks/EV-09/case.rs"]
mod ev_09;
#[cfg(test)]
#[path = "../../../../attacks/EV-10/case.rs"]
mod ev_10;
#[cfg(test)]
#[path = "../../../../attacks/EV-11/case.rs"]
mod ev_11;
#[cfg(test)]
#[path = "../../../../attacks/EV-12/case.rs"]
mod ev_12;
#[cfg(test)]
#[path = "../../../../attacks/EV-13/case.rs"]
mod ev_13;
#[cfg(test)]
#[path = "../../../../attacks/EV-14/case.rs"]
mod ev_14;
#[cfg(test)]
#[path = "../../../../attacks/AU-01/case.rs"]
mod au_01;
#[cfg(test)]
#[path = "../../../../attacks/AU-02/case.rs"]
mod au_02;
#[cfg(test)]
#[path = "../../../../attacks/AU-03/case.rs"]
mod au_03;
#[cfg(test)]
#[path = "../../../../attacks/AU-04/case.rs"]
mod au_04;
#[cfg(test)]
#[path = "../../../../attacks/AU-05/case.rs"]
mod au_05;
#[cfg(test)]
#[path = "../../../../attacks/AU-06/case.rs"]
mod au_06;
#[cfg(test)]
#[path = "../../../../attacks/AU-07/case.rs"]
mod au_07;
#[cfg(test)]
#[path = "../../../../attacks/AU-08/case.rs"]
mod au_08;
#[cfg(test)]
#[path = "../../../../attacks/AU-09/case.rs"]
mod au_09;
#[cfg(test)]
#[path = "../../../../attacks/AU-10/case.rs"]
mod au_10;
#[cfg(test)]
#[path = "../../../../attacks/AU-11/case.rs"]
mod au_11;
#[cfg(test)]
#[path = "../../../../attacks/AU-13/case.rs"]
mod au_13;
#[cfg(test)]
#[path = "../../../../attacks/AU-14/case.rs"]
mod au_14;
#[cfg(test)]
#[path = "../../../../attacks/AU-15/case.rs"]
mod au_15;
#[cfg(test)]
#[path = "../../../../attacks/AU-16/case.rs"]
mod au_16;
#[cfg(test)]
#[path = "../../../../attacks/AU-17/case.rs"]
mod au_17;
#[cfg(test)]
#[path = "../../../../attacks/AU-18/case.rs"]
mod au_18;
#[cfg(test)]
#[path = "../../../../attacks/AU-19/case.rs"]
mod au_19;
#[cfg(test)]
#[path = "../../../../attacks/AU-20/case.rs"]
mod au_20;
#[cfg(test)]
#[path = "../../../../attacks/AU-22/case.rs"]
mod au_22;
#[cfg(test)]
#[path = "../../../../attacks/AU-23/case.rs"]
mod au_23;
#[cfg(test)]
#[path = "../../../../attacks/AU-24/case.rs"]
mod au_24;
#[cfg(test)]
#[path = "../../../../attacks/AU-25/case.rs"]
mod au_25;
#[cfg(test)]
#[path = "../../../../attacks/OP-03/case.rs"]
mod op_03;
#[cfg(test)]
#[path = "../../../../attacks/OP-04/case.rs"]
mod op_04;
#[cfg(test)]
#[path = "../../../../attacks/OP-05/case.rs"]
mod op_05;
#[cfg(test)]
#[path = "../../../../attacks/OP-09/case.rs"]
mod op_09;
#[cfg(test)]
#[path = "../../../../attacks/OP-12/case.rs"]
mod op_12;
#[cfg(test)]
#[path = "../../../../attacks/OP-12/keys.rs"]
mod op_12_keys;
#[cfg(test)]
#[path = "../../../../attacks/RX-01/case.rs"]
mod rx_01;
#[cfg(test)]
#[path = "../../../../attacks/RX-04/case.rs"]
mod rx_04;
#[cfg(test)]
#[path = "../../../../attacks/RX-05/case.rs"]
mod rx_05;
#[cfg(test)]
#[path = "../../../../attacks/AD-01/case.rs"]
mod ad_01;
#[cfg(test)]
#[path = "../../../../attacks/AD-06/case.rs"]
mod ad_06;
#[cfg(test)]
#[path = "../../../../attacks/AD-07/case.rs"]
mod ad_07;
#[cfg(test)]
#[path = "../../../../attacks/AD-09/case.rs"]
mod ad_09;
